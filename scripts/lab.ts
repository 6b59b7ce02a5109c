/** `scripts/lab up|status|down`: a lab for people, of the prefix hwlab. `up` owns it until Ctrl-C; `down` also removes what a kill left. */
import { stopProcess } from '@hyperward/os'
import { buildGuestImage, cleanupStale, createFabric, createLab, findLab, startGuest } from '@hyperward/testkit'

const prefix = 'hwlab'
const say = (line: string): void => void process.stdout.write(`${line}\n`)

async function up(): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve())
  })
  say('guest image …')
  const image = await buildGuestImage()
  const lab = await createLab({ prefix })
  try {
    say('hosts …')
    const { hosts } = await createFabric(lab, { hosts: ['host-a', 'host-b'] })
    const guests = await Promise.all(
      hosts.map((host, index) =>
        startGuest(host, image, {
          name: `vm${index + 1}`,
          uuid: `22222222-0000-4000-8000-00000000000${index + 1}`,
          tenant: 'acme',
          labels: { app: 'shop' },
          mac: `52:54:00:aa:00:0${index + 1}`,
          addresses: [`10.20.0.1${index + 1}/16`, `fd00:20::1${index + 1}/64`],
        }),
      ),
    )
    say('guests …')
    await Promise.race([ended, Promise.all(guests.map((guest) => guest.agent.ready()))])
    for (const host of hosts) {
      say(
        `${host.name}  ip netns exec ${host.netns} …  virsh -c 'qemu+unix:///system?socket=${host.libvirtSocket}' list`,
      )
    }
    say('up; Ctrl-C ends it')
    await ended
  } finally {
    await lab.close()
    say('down')
  }
}

async function down(): Promise<void> {
  const lab = await findLab(prefix)
  // its own process removes it on SIGTERM; what is left after that is removed here
  if (lab?.running === true) await stopProcess(lab.owner, 20_000)
  await cleanupStale(prefix)
  say('down')
}

async function status(): Promise<void> {
  const lab = await findLab(prefix)
  if (lab === null) say('no lab')
  else
    say(lab.running ? `up (process ${lab.owner.pid})` : 'left by a process that is gone: scripts/lab down removes it')
}

const commands: Readonly<Record<string, () => Promise<void>>> = { up, down, status }
const command = commands[process.argv[2] ?? '']
if (command === undefined) {
  say('usage: scripts/lab up|status|down')
  process.exitCode = 2
} else await command()
