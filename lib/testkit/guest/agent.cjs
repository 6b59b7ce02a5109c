'use strict'
/**
 * The agent inside test guests: JSON lines over virtio-serial, `{id, command, …}` → `{id, …result}` or `{id, error}`.
 * Not part of the product. Plain JavaScript without dependencies: it is copied into the image as it is.
 */
const fs = require('node:fs')
const net = require('node:net')
const dgram = require('node:dgram')
const { execFile } = require('node:child_process')

const [portPath, name] = process.argv.slice(2)
const listeners = new Map()
const held = new Map()
let nextHandle = 1

const commands = {
  ready: async () => ({
    name,
    uptimeMs: Math.round(Number(fs.readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000),
  }),
  listen: ({ protocol, port }) => (protocol === 'tcp' ? listenTcp(port) : listenUdp(port)),
  unlisten: async ({ protocol, port }) => {
    const key = `${protocol}/${port}`
    listeners.get(key)?.close()
    return { closed: listeners.delete(key) }
  },
  connect: async ({ address, port, timeoutMs, localPort }) => {
    const { socket, result } = await openTcp(address, port, timeoutMs, localPort)
    socket.destroy()
    return result
  },
  hold: async ({ address, port, timeoutMs }) => {
    const { socket, result } = await openTcp(address, port, timeoutMs)
    if (result.outcome !== 'ok') {
      socket.destroy()
      return result
    }
    const handle = nextHandle++
    const connection = { socket, lastEcho: performance.now(), broken: null }
    held.set(handle, connection)
    socket.on('data', () => (connection.lastEcho = performance.now()))
    socket.on('error', (error) => (connection.broken ??= outcomeOf(error)))
    socket.on('close', () => (connection.broken ??= 'closed'))
    connection.timer = setInterval(() => socket.writable && socket.write('tick\n'), 100)
    return { ...result, handle }
  },
  held: async ({ handle }) => {
    const connection = held.get(handle)
    if (connection === undefined) throw new Error(`no held connection ${handle}`)
    return { silentMs: Math.round(performance.now() - connection.lastEcho), broken: connection.broken }
  },
  release: async ({ handle }) => {
    const connection = held.get(handle)
    clearInterval(connection?.timer)
    connection?.socket.destroy()
    return { released: held.delete(handle) }
  },
  udp: ({ address, port, timeoutMs }) => askUdp(address, port, timeoutMs),
  ping: async ({ address, timeoutMs }) => {
    const args = [
      'ping',
      address.includes(':') ? '-6' : '-4',
      '-q',
      '-c',
      '1',
      '-W',
      String(Math.ceil(timeoutMs / 1000)),
      address,
    ]
    const { code } = await run('busybox', args, timeoutMs + 2000)
    return { outcome: code === 0 ? 'ok' : 'timeout' }
  },
  sh: ({ script, timeoutMs }) => run('sh', ['-c', script], timeoutMs),
}

function listenTcp(port) {
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => {
      socket.on('error', () => socket.destroy())
      socket.on('data', () => socket.write(`${name}\n`))
    })
    server.on('error', reject)
    server.listen({ port, host: '::' }, () => {
      listeners.set(`tcp/${port}`, server)
      resolve({ listening: true })
    })
  })
}

function listenUdp(port) {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket('udp6')
    socket.on('error', reject)
    socket.on('message', (_, from) => socket.send(`${name}\n`, from.port, from.address, () => undefined))
    socket.bind({ port, address: '::' }, () => {
      listeners.set(`udp/${port}`, socket)
      resolve({ listening: true })
    })
  })
}

/** 'ok' only when the echo came back: a handshake alone does not show that data passes. */
function openTcp(host, port, timeoutMs, localPort) {
  return new Promise((resolve) => {
    const began = performance.now()
    const socket = net.connect({ host, port, localPort, noDelay: true })
    const end = (outcome, peer) => {
      clearTimeout(timer)
      socket.removeAllListeners()
      socket.on('error', () => undefined)
      resolve({ socket, result: { outcome, peer, ms: Math.round(performance.now() - began) } })
    }
    const timer = setTimeout(() => end('timeout'), timeoutMs)
    socket.on('connect', () => socket.write('hello\n'))
    socket.on('data', (chunk) => end('ok', chunk.toString().trim()))
    socket.on('error', (error) => end(outcomeOf(error)))
    socket.on('close', () => end('closed'))
  })
}

function askUdp(address, port, timeoutMs) {
  return new Promise((resolve) => {
    const began = performance.now()
    const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4')
    const end = (outcome, peer) => {
      clearTimeout(timer)
      socket.removeAllListeners()
      socket.on('error', () => undefined)
      socket.close()
      resolve({ outcome, peer, ms: Math.round(performance.now() - began) })
    }
    const timer = setTimeout(() => end('timeout'), timeoutMs)
    socket.on('message', (message) => end('ok', message.toString().trim()))
    socket.on('error', (error) => end(outcomeOf(error)))
    // connected, so that ICMP errors come back as errors
    socket.connect(port, address, (error) =>
      error ? end(outcomeOf(error)) : socket.send('hello\n', (e) => e && end(outcomeOf(e))),
    )
  })
}

function outcomeOf(error) {
  const outcomes = { ECONNREFUSED: 'refused', ECONNRESET: 'reset', EPIPE: 'reset', ETIMEDOUT: 'timeout' }
  const unreachable = ['EHOSTUNREACH', 'ENETUNREACH', 'EACCES', 'EPERM', 'EPROTO']
  return outcomes[error.code] ?? (unreachable.includes(error.code) ? 'unreachable' : `error ${error.code}`)
}

function run(file, args, timeout = 20_000) {
  return new Promise((resolve) => {
    execFile(file, args, { timeout }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr }),
    )
  })
}

const fd = fs.openSync(portPath, 'r+')
const chunk = Buffer.alloc(65_536)
let text = ''

function reply(message) {
  // the port takes a line whole or blocks; an error means that nobody is connected, and then nobody waits for this answer
  fs.write(fd, `${JSON.stringify(message)}\n`, () => undefined)
}

async function answer(line) {
  let request
  try {
    request = JSON.parse(line)
  } catch {
    return
  }
  try {
    const command = commands[request.command]
    if (command === undefined) throw new Error(`unknown command ${request.command}`)
    reply({ id: request.id, ...(await command(request)) })
  } catch (error) {
    reply({ id: request.id, error: String(error.message ?? error) })
  }
}

function read() {
  fs.read(fd, chunk, 0, chunk.length, null, (error, size) => {
    // 0 bytes = the host side is not connected: the port is good again when it is
    if (error || size === 0) return setTimeout(read, error ? 200 : 50)
    text += chunk.toString('utf8', 0, size)
    const lines = text.split('\n')
    text = lines.pop()
    for (const line of lines) void answer(line)
    read()
  })
}

read()
process.stdout.write(`agent of ${name} listens on ${portPath}\n`)
