import { OperationError } from '@hyperward/model'

export type EngineCommand =
  | { readonly kind: 'run' | 'door' | 'status'; readonly config: string }
  | { readonly kind: 'enroll'; readonly config: string; readonly center: string; readonly tokenFile: string }
  | { readonly kind: 'remove'; readonly config: string }
  | { readonly kind: 'help' }

export const usage = `access-engine: enforces the published policy at every VM of this host

  access-engine run    --config FILE    follow libvirt and enforce, until SIGTERM; protection stays loaded
  access-engine enroll --config FILE --center https://HOST:PORT --token-file FILE|-
                                        get this host's certificate with a one-time token (- reads it from stdin)
  access-engine door   --config FILE    load the closed door: nothing passes a tap that nobody guards
  access-engine status --config FILE    tell as JSON what is held, enforced and connected
  access-engine remove --config FILE --yes
                                        take all protection of this host away: programs, pins and the closed door
`

const options: Readonly<Record<string, readonly string[]>> = {
  run: ['--config'],
  door: ['--config'],
  status: ['--config'],
  remove: ['--config', '--yes'],
  enroll: ['--config', '--center', '--token-file'],
}

/** Fails with `engine.arguments`. */
export function parseArguments(args: readonly string[]): EngineCommand {
  const [kind, ...rest] = args
  if (kind === undefined || kind === 'help' || kind === '--help' || kind === '-h') return { kind: 'help' }
  const allowed = options[kind]
  if (allowed === undefined) throw wrong(`there is no command "${kind}"`)
  const values = new Map<string, string>()
  for (let at = 0; at < rest.length; at += 1) {
    const name = rest[at] ?? ''
    if (!allowed.includes(name)) throw wrong(`"${kind}" takes no ${name}`)
    // the only option that is a word alone
    if (name !== '--yes') at += 1
    const value = rest[at]
    if (value === undefined) throw wrong(`${name} has no value`)
    if (values.has(name)) throw wrong(`${name} is given twice`)
    values.set(name, value)
  }
  const need = (name: string): string => {
    const value = values.get(name)
    if (value === undefined) throw wrong(`"${kind}" needs ${name}`)
    return value
  }
  if (kind === 'enroll') {
    return { kind, config: need('--config'), center: need('--center'), tokenFile: need('--token-file') }
  }
  if (kind === 'remove') {
    const config = need('--config')
    if (!values.has('--yes')) {
      throw wrong('"remove" leaves every virtual machine of this host without protection; say --yes if that is meant')
    }
    return { kind, config }
  }
  if (kind === 'run' || kind === 'door' || kind === 'status') return { kind, config: need('--config') }
  throw wrong(`there is no command "${kind}"`)
}

function wrong(message: string): OperationError {
  return new OperationError('engine.arguments', `${message}; see access-engine --help`)
}
