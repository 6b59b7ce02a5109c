/**
 * Builds what test guests boot from: Debian's cloud kernel, a small initrd with the virtio modules, and a read-only ext4 with busybox,
 * Node and the test agent. Needs no mount. Kept in `cacheDir` under a hash of everything that goes in.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'

import { execOk, sha256Hex } from '@hyperward/os'

import { defaultCacheDir } from './cache-dir.ts'

export interface GuestImage {
  readonly kernel: string
  readonly initrd: string
  /** Read-only ext4, shared by all guests. */
  readonly root: string
}

export interface GuestImageOptions {
  readonly cacheDir?: string
  /** The Node binary to put in; default the one that runs this. */
  readonly nodeBinary?: string
}

// the order of insertion: virtio_ring before virtio
const modules = [
  'drivers/virtio/virtio_ring',
  'drivers/virtio/virtio',
  'drivers/virtio/virtio_pci_modern_dev',
  'drivers/virtio/virtio_pci_legacy_dev',
  'drivers/virtio/virtio_pci',
  'net/core/failover',
  'drivers/net/net_failover',
  'drivers/net/virtio_net',
  'drivers/block/virtio_blk',
  'drivers/char/virtio_console',
  'drivers/char/hw_random/virtio-rng',
]

export async function buildGuestImage(options: GuestImageOptions = {}): Promise<GuestImage> {
  const cacheDir = options.cacheDir ?? defaultCacheDir
  mkdirSync(cacheDir, { recursive: true })
  const nodeBinary = options.nodeBinary ?? process.execPath
  const sources = join(import.meta.dirname, 'guest')
  const kernelPackage = await fetchKernelPackage(cacheDir)
  const key = sha256Hex(
    JSON.stringify([
      basename(kernelPackage),
      statSync(nodeBinary).size,
      process.version,
      modules,
      sha256Hex(readFileSync('/bin/busybox')),
      readFileSync(import.meta.filename, 'utf8'),
      ...readdirSync(sources)
        .sort()
        .map((file) => readFileSync(join(sources, file), 'utf8')),
    ]),
  ).slice(0, 16)
  const directory = join(cacheDir, `guest-${key}`)
  const image = {
    kernel: join(directory, 'vmlinuz'),
    initrd: join(directory, 'initrd.gz'),
    root: join(directory, 'root.ext4'),
  }
  if (existsSync(directory)) return image

  const work = mkdtempSync(join(cacheDir, 'build-'))
  try {
    const unpacked = join(work, 'kernel')
    await execOk('dpkg-deb', ['-x', kernelPackage, unpacked])
    const out = join(work, 'out')
    mkdirSync(out)
    const boot = join(unpacked, 'boot')
    copyFileSync(join(boot, onlyMatch(boot, /^vmlinuz-/)), join(out, 'vmlinuz'))
    await buildInitrd(unpacked, sources, work, join(out, 'initrd.gz'))
    await buildRoot(nodeBinary, sources, work, join(out, 'root.ext4'))
    renameSync(out, directory)
  } catch (error) {
    // another process finished the same image first: it is as good
    if (!existsSync(directory)) throw error
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  return image
}

async function fetchKernelPackage(cacheDir: string): Promise<string> {
  const directory = join(cacheDir, 'deb')
  mkdirSync(directory, { recursive: true })
  const pattern = /^linux-image-.*-cloud-amd64_.*\.deb$/
  const present = readdirSync(directory).find((name) => pattern.test(name))
  if (present !== undefined) return join(directory, present)
  const { stdout } = await execOk('apt-cache', ['depends', 'linux-image-cloud-amd64'])
  const name = /Depends: (linux-image-\S+)/.exec(stdout)?.[1]
  if (name === undefined) throw new Error('apt knows no linux-image-cloud-amd64: run apt-get update')
  const download = mkdtempSync(join(cacheDir, 'download-'))
  try {
    await execOk('apt-get', ['-o', 'APT::Sandbox::User=root', 'download', name], { cwd: download, timeoutMs: 300_000 })
    const file = onlyMatch(download, pattern)
    renameSync(join(download, file), join(directory, file))
    return join(directory, file)
  } finally {
    rmSync(download, { recursive: true, force: true })
  }
}

async function buildInitrd(kernel: string, sources: string, work: string, target: string): Promise<void> {
  const root = join(work, 'initrd')
  for (const part of ['bin', 'dev', 'proc', 'sys', 'mnt', 'mods']) mkdirSync(join(root, part), { recursive: true })
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'))
  copyFileSync(join(sources, 'initrd-init.sh'), join(root, 'init'))
  const versions = join(kernel, 'lib/modules')
  const tree = join(versions, onlyMatch(versions, /./), 'kernel')
  for (const module of modules) copyFileSync(join(tree, `${module}.ko`), join(root, 'mods', `${basename(module)}.ko`))
  writeFileSync(join(root, 'mods/order'), modules.map((module) => `${basename(module)}.ko\n`).join(''))
  await execOk('chmod', ['755', join(root, 'init'), join(root, 'bin/busybox')])
  const archive = join(work, 'initrd.cpio')
  const files = ['.', ...readdirSync(root, { recursive: true, encoding: 'utf8' }).sort()]
  await execOk('busybox', ['cpio', '-o', '-H', 'newc', '-F', archive], { cwd: root, input: `${files.join('\n')}\n` })
  writeFileSync(target, gzipSync(readFileSync(archive), { level: 1 }))
}

async function buildRoot(nodeBinary: string, sources: string, work: string, target: string): Promise<void> {
  const root = join(work, 'root')
  for (const part of ['bin', 'dev', 'proc', 'sys', 'tmp', 'run', 'etc', 'opt', 'usr/bin']) {
    mkdirSync(join(root, part), { recursive: true })
  }
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'))
  await execOk('chroot', [root, '/bin/busybox', '--install', '-s', '/bin'])
  copyFileSync(nodeBinary, join(root, 'usr/bin/node'))
  const { stdout } = await execOk('ldd', [nodeBinary])
  for (const [, library] of stdout.matchAll(/(\/\S+\.so\S*)/g)) {
    if (library === undefined) continue
    mkdirSync(join(root, dirname(library)), { recursive: true })
    copyFileSync(library, join(root, library))
  }
  copyFileSync(join(sources, 'root-init.sh'), join(root, 'init'))
  copyFileSync(join(sources, 'agent.cjs'), join(root, 'opt/agent.cjs'))
  await execOk('chmod', ['755', join(root, 'init'), join(root, 'usr/bin/node')])
  const { stdout: used } = await execOk('du', ['-sm', root])
  const sizeMb = Math.ceil(Number.parseInt(used, 10) * 1.1) + 8
  await execOk('mke2fs', ['-q', '-t', 'ext4', '-O', '^has_journal', '-d', root, target, `${sizeMb}M`])
}

function onlyMatch(directory: string, pattern: RegExp): string {
  const names = readdirSync(directory).filter((name) => pattern.test(name))
  const [name] = names
  if (name === undefined || names.length > 1)
    throw new Error(`${directory}: expected one ${pattern}, found ${names.length}`)
  return name
}
