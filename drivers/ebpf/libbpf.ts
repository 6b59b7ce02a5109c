/**
 * libbpf and the few libc calls beside it, typed. Calls return what libbpf 1.x returns: 0 or more, or a negative errno.
 * Nothing here knows what the maps hold.
 */
import koffi from 'koffi'

import { known, unknown, type Observed } from '@hyperward/model'

/** A C pointer that only koffi looks into. */
export type Pointer = object | null

export interface TcPlace {
  readonly ifindex: number
  readonly direction: 'ingress' | 'egress'
}

export interface Libbpf {
  readonly possibleCpus: number
  /** What libbpf said since the last call, and forgets it. */
  takeLog(): string
  openObject(path: string): Pointer
  loadObject(object: Pointer): number
  closeObject(object: Pointer): void
  findMap(object: Pointer, name: string): Pointer
  mapFd(map: Pointer): number
  setPinPath(map: Pointer, path: string): number
  setMaxEntries(map: Pointer, entries: number): number
  programFd(object: Pointer, name: string): number
  createMap(map: NewMap): number
  fdOfMapId(id: number): number
  openPin(path: string): number
  mapInfo(fd: number): { readonly id: number; readonly maxEntries: number } | null
  programId(fd: number): number
  lookup(fd: number, key: Uint8Array, value: Uint8Array): number
  update(fd: number, key: Uint8Array, value: Uint8Array, flags?: number): number
  updateBatch(fd: number, keys: Uint8Array, values: Uint8Array, count: number): number
  remove(fd: number, key: Uint8Array): number
  nextKey(fd: number, key: Uint8Array | null, next: Uint8Array): number
  /** All entries, or a negative errno. */
  readAll(fd: number, keyBytes: number, valueBytes: number, limit: number): ReadAll | number
  createHook(ifindex: number): number
  destroyHook(ifindex: number): number
  attach(place: TcPlace, programFd: number, handle: number, priority: number): number
  detach(place: TcPlace, handle: number, priority: number): number
  /** Id of the program in that place, 0 when there is none, or a negative errno. */
  query(place: TcPlace, handle: number, priority: number): number
  /** Runs a syscall program on `context`, which it may change. */
  run(programFd: number, context: Uint8Array): number
  /** Runs a program of type tc on a frame; what it answers, or a negative errno. */
  runOnFrame(programFd: number, frame: Uint8Array): number
  openRing(fd: number, onRecord: (record: Uint8Array) => void): Ring | number
  closeFd(fd: number): void
  /** null = no such interface in this network namespace. */
  deviceName(ifindex: number): string | null
  /** Length of the kernel's tick, 1 / CONFIG_HZ, as the resolution of its coarse clocks tells it; null = unreadable. */
  tickNs(): number | null
  hasProgramType(type: number): boolean
  hasMapType(type: number): boolean
  hasHelper(programType: number, helper: number): boolean
}

export interface ReadAll {
  readonly count: number
  readonly keys: Buffer
  readonly values: Buffer
}

export interface NewMap {
  readonly type: number
  readonly name: string
  readonly keyBytes: number
  readonly valueBytes: number
  readonly entries: number
  readonly flags: number
}

export interface Ring {
  /** Number of records read, or a negative errno. */
  consume(): number
  close(): void
}

const ENOENT = -2
const clockMonotonicCoarse = 6

/** Unknown where libbpf.so.1 cannot be loaded. */
export function loadLibbpf(): Observed<Libbpf> {
  try {
    return known(bind(koffi.load('libbpf.so.1'), koffi.load('libc.so.6')))
  } catch (cause) {
    return unknown(`libbpf.so.1 cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
}

function bind(bpf: ReturnType<typeof koffi.load>, libc: ReturnType<typeof koffi.load>): Libbpf {
  const hookType = koffi.struct({ sz: 'size_t', ifindex: 'int', attach_point: 'int', parent: 'uint32_t' })
  const filterType = koffi.struct({
    sz: 'size_t',
    prog_fd: 'int',
    flags: 'uint32_t',
    prog_id: 'uint32_t',
    handle: 'uint32_t',
    priority: 'uint32_t',
  })
  const mapOptionsType = koffi.struct({
    sz: 'size_t',
    btf_fd: 'uint32_t',
    btf_key_type_id: 'uint32_t',
    btf_value_type_id: 'uint32_t',
    btf_vmlinux_value_type_id: 'uint32_t',
    inner_map_fd: 'uint32_t',
    map_flags: 'uint32_t',
    map_extra: 'uint64_t',
    numa_node: 'uint32_t',
    map_ifindex: 'uint32_t',
  })
  const runType = koffi.struct({
    sz: 'size_t',
    data_in: 'const void *',
    data_out: 'void *',
    data_size_in: 'uint32_t',
    data_size_out: 'uint32_t',
    ctx_in: 'const void *',
    ctx_out: 'void *',
    ctx_size_in: 'uint32_t',
    ctx_size_out: 'uint32_t',
    retval: 'uint32_t',
    repeat: 'int',
    duration: 'uint32_t',
    flags: 'uint32_t',
    cpu: 'uint32_t',
    batch_size: 'uint32_t',
  })
  const hookPointer = koffi.inout(koffi.pointer(hookType))
  const filterPointer = koffi.inout(koffi.pointer(filterType))
  const printType = koffi.pointer(koffi.proto('int(int level, const char *format, void *arguments)'))
  const sampleType = koffi.pointer(koffi.proto('int(void *context, void *data, size_t bytes)'))
  const vsnprintf = libc.func('int vsnprintf(_Out_ uint8_t *buffer, size_t bytes, const char *format, void *arguments)')
  const close = libc.func('int close(int fd)')
  const indexToName = libc.func('void *if_indextoname(unsigned int ifindex, _Out_ uint8_t *name)')
  const clockResolution = libc.func('int clock_getres(int clock, _Out_ uint8_t *resolution)')
  const open = bpf.func('void *bpf_object__open_file(const char *path, void *options)')
  const load = bpf.func('int bpf_object__load(void *object)')
  const closeObject = bpf.func('void bpf_object__close(void *object)')
  const findMap = bpf.func('void *bpf_object__find_map_by_name(void *object, const char *name)')
  const findProgram = bpf.func('void *bpf_object__find_program_by_name(void *object, const char *name)')
  const mapFd = bpf.func('int bpf_map__fd(void *map)')
  const setPinPath = bpf.func('int bpf_map__set_pin_path(void *map, const char *path)')
  const setMaxEntries = bpf.func('int bpf_map__set_max_entries(void *map, uint32_t entries)')
  const programFd = bpf.func('int bpf_program__fd(void *program)')
  const mapCreate = bpf.func('bpf_map_create', 'int', [
    'uint32_t',
    'const char *',
    'uint32_t',
    'uint32_t',
    'uint32_t',
    koffi.pointer(mapOptionsType),
  ])
  const fdOfMapId = bpf.func('int bpf_map_get_fd_by_id(uint32_t id)')
  const openPin = bpf.func('int bpf_obj_get(const char *path)')
  const info = bpf.func('int bpf_obj_get_info_by_fd(int fd, void *info, _Inout_ uint32_t *bytes)')
  const lookup = bpf.func('int bpf_map_lookup_elem(int fd, const void *key, void *value)')
  const update = bpf.func('int bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags)')
  const updateBatch = bpf.func(
    'int bpf_map_update_batch(int fd, const void *keys, const void *values, _Inout_ uint32_t *count, void *options)',
  )
  const lookupBatch = bpf.func(
    'int bpf_map_lookup_batch(int fd, void *in_batch, void *out_batch, void *keys, void *values, _Inout_ uint32_t *count, void *options)',
  )
  const remove = bpf.func('int bpf_map_delete_elem(int fd, const void *key)')
  const nextKey = bpf.func('int bpf_map_get_next_key(int fd, const void *key, void *next)')
  const hookCreate = bpf.func('bpf_tc_hook_create', 'int', [hookPointer])
  const hookDestroy = bpf.func('bpf_tc_hook_destroy', 'int', [hookPointer])
  const tcAttach = bpf.func('bpf_tc_attach', 'int', [hookPointer, filterPointer])
  const tcDetach = bpf.func('bpf_tc_detach', 'int', [hookPointer, filterPointer])
  const tcQuery = bpf.func('bpf_tc_query', 'int', [hookPointer, filterPointer])
  const testRun = bpf.func('bpf_prog_test_run_opts', 'int', ['int', koffi.inout(koffi.pointer(runType))])
  const ringNew = bpf.func('ring_buffer__new', 'void *', ['int', sampleType, 'void *', 'void *'])
  const ringConsume = bpf.func('int ring_buffer__consume(void *ring)')
  const ringFree = bpf.func('void ring_buffer__free(void *ring)')
  const probeProgram = bpf.func('int libbpf_probe_bpf_prog_type(int type, void *options)')
  const probeMap = bpf.func('int libbpf_probe_bpf_map_type(int type, void *options)')
  const probeHelper = bpf.func('int libbpf_probe_bpf_helper(int program, int helper, void *options)')
  const setPrint = bpf.func('libbpf_set_print', 'void *', [printType])
  const possibleCpus: unknown = bpf.func('int libbpf_num_possible_cpus()')()

  let log = ''
  const line = Buffer.alloc(4096)
  const print = koffi.register((level: number, format: string, args: unknown) => {
    if (level > 0) return 0
    const length: unknown = vsnprintf(line, line.length, format, args)
    // the end says why; a verifier's log can be long
    if (typeof length === 'number')
      log = (log + line.toString('utf8', 0, Math.min(length, line.length - 1))).slice(-8000)
    return 0
  }, printType)
  setPrint(print)

  const hook = (ifindex: number, point: number): object => ({
    sz: koffi.sizeof(hookType),
    ifindex,
    attach_point: point,
    parent: 0,
  })
  const pointOf = (place: TcPlace): number => (place.direction === 'ingress' ? 1 : 2)
  const filter = (handle: number, priority: number, fd = 0, flags = 0) => ({
    sz: koffi.sizeof(filterType),
    prog_fd: fd,
    flags,
    prog_id: 0,
    handle,
    priority,
  })

  return {
    possibleCpus: toInt(possibleCpus),
    takeLog() {
      const taken = log
      log = ''
      return taken.trim()
    },
    openObject: (path) => toPointer(open(path, null)),
    loadObject: (object) => toInt(load(object)),
    closeObject: (object) => {
      closeObject(object)
    },
    findMap: (object, name) => toPointer(findMap(object, name)),
    mapFd: (map) => toInt(mapFd(map)),
    setPinPath: (map, path) => toInt(setPinPath(map, path)),
    setMaxEntries: (map, entries) => toInt(setMaxEntries(map, entries)),
    programFd: (object, name) => toInt(programFd(findProgram(object, name))),
    createMap: (map) =>
      toInt(
        mapCreate(map.type, map.name, map.keyBytes, map.valueBytes, map.entries, {
          sz: koffi.sizeof(mapOptionsType),
          map_flags: map.flags,
        }),
      ),
    fdOfMapId: (id) => toInt(fdOfMapId(id)),
    openPin: (path) => toInt(openPin(path)),
    mapInfo(fd) {
      // struct bpf_map_info: type, id, key_size, value_size, max_entries, …
      const bytes = Buffer.alloc(128)
      if (toInt(info(fd, bytes, [bytes.length])) < 0) return null
      return { id: bytes.readUInt32LE(4), maxEntries: bytes.readUInt32LE(16) }
    },
    programId(fd) {
      // struct bpf_prog_info: type, id, …
      const bytes = Buffer.alloc(256)
      const result = toInt(info(fd, bytes, [bytes.length]))
      return result < 0 ? result : bytes.readUInt32LE(4)
    },
    lookup: (fd, key, value) => toInt(lookup(fd, key, value)),
    update: (fd, key, value, flags = 0) => toInt(update(fd, key, value, flags)),
    updateBatch: (fd, keys, values, count) => (count === 0 ? 0 : toInt(updateBatch(fd, keys, values, [count], null))),
    remove: (fd, key) => toInt(remove(fd, key)),
    nextKey: (fd, key, next) => toInt(nextKey(fd, key, next)),
    readAll(fd, keyBytes, valueBytes, limit) {
      // a chunk must hold a whole bucket; the cursor is at most a key wide
      const chunk = Math.max(4096, Math.min(limit, 65_536))
      const keys: Buffer[] = []
      const values: Buffer[] = []
      const cursor = Buffer.alloc(Math.max(keyBytes, 8))
      let count = 0
      for (let first = true; ; first = false) {
        const keyChunk = Buffer.alloc(chunk * keyBytes)
        const valueChunk = Buffer.alloc(chunk * valueBytes)
        const counts = [chunk]
        const result = toInt(lookupBatch(fd, first ? null : cursor, cursor, keyChunk, valueChunk, counts, null))
        if (result < 0 && result !== ENOENT) return result
        const read = counts[0] ?? 0
        count += read
        keys.push(keyChunk.subarray(0, read * keyBytes))
        values.push(valueChunk.subarray(0, read * valueBytes))
        if (result === ENOENT || read === 0) break
      }
      return { count, keys: Buffer.concat(keys), values: Buffer.concat(values) }
    },
    createHook: (ifindex) => toInt(hookCreate(hook(ifindex, 3))),
    destroyHook: (ifindex) => toInt(hookDestroy(hook(ifindex, 3))),
    attach: (place, fd, handle, priority) =>
      // BPF_TC_F_REPLACE: the filter there is exchanged, never absent in between
      toInt(tcAttach(hook(place.ifindex, pointOf(place)), filter(handle, priority, fd, 1))),
    detach: (place, handle, priority) => toInt(tcDetach(hook(place.ifindex, pointOf(place)), filter(handle, priority))),
    query(place, handle, priority) {
      const found = filter(handle, priority)
      const result = toInt(tcQuery(hook(place.ifindex, pointOf(place)), found))
      return result === ENOENT ? 0 : result < 0 ? result : found.prog_id
    },
    run(fd, context) {
      const options = { sz: koffi.sizeof(runType), ctx_in: context, ctx_size_in: context.length, retval: 0 }
      const result = toInt(testRun(fd, options))
      return result < 0 ? result : options.retval === 0 ? 0 : -22
    },
    runOnFrame(fd, frame) {
      const options = { sz: koffi.sizeof(runType), data_in: frame, data_size_in: frame.length, repeat: 1, retval: 0 }
      const result = toInt(testRun(fd, options))
      return result < 0 ? result : options.retval
    },
    openRing(fd, onRecord) {
      const callback = koffi.register((_context: unknown, data: unknown, bytes: number) => {
        onRecord(Uint8Array.from(toBytes(koffi.decode(data, koffi.array('uint8_t', bytes)))))
        return 0
      }, sampleType)
      const ring = toPointer(ringNew(fd, callback, null, null))
      if (ring === null) {
        koffi.unregister(callback)
        return -koffi.errno()
      }
      return {
        consume: () => toInt(ringConsume(ring)),
        close() {
          ringFree(ring)
          koffi.unregister(callback)
        },
      }
    },
    closeFd: (fd) => {
      close(fd)
    },
    deviceName(ifindex) {
      const name = Buffer.alloc(16)
      return toPointer(indexToName(ifindex, name)) === null ? null : name.toString('utf8', 0, name.indexOf(0))
    },
    tickNs() {
      const resolution = Buffer.alloc(16)
      if (toInt(clockResolution(clockMonotonicCoarse, resolution)) < 0) return null
      const nanoseconds = Number(resolution.readBigInt64LE(8))
      return nanoseconds > 0 ? nanoseconds : null
    },
    hasProgramType: (type) => toInt(probeProgram(type, null)) === 1,
    hasMapType: (type) => toInt(probeMap(type, null)) === 1,
    hasHelper: (type, helper) => toInt(probeHelper(type, helper, null)) === 1,
  }
}

// koffi's results are untyped: these are its parsers
function toInt(value: unknown): number {
  if (typeof value !== 'number') throw new Error(`not a C int: ${String(value)}`)
  return value
}

function toPointer(value: unknown): Pointer {
  if (typeof value !== 'object' && typeof value !== 'bigint') throw new Error('not a C pointer')
  // newer koffi gives addresses as bigint; both are opaque here
  return value as Pointer
}

function toBytes(value: unknown): Iterable<number> {
  if (value instanceof Uint8Array || Array.isArray(value)) return value as Iterable<number>
  throw new Error('not an array of bytes')
}
