import type { Locale } from '@hyperward/catalogue'

import { commandModules } from './command-modules.ts'
import type { CommandName, CommandValues } from './command-table/command-table.ts'
import type { Call, CommandContext, Io, Run } from './command.ts'
import type { Center } from './connection/center.ts'
import { exitCodes, type ExitName } from './exit-codes.ts'
import { toLocale } from './locale.ts'
import { createOutput, type Output } from './output.ts'
import { guessGlobals, parseArguments, type Invocation } from './parse-arguments.ts'
import { createText } from './text.ts'

/** One run of the command line, argv to exit code. Never throws: whatever fails is told, and coded. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const out = createOutput(io.stdout, io.stderr, io.env)
  const guessed = guessGlobals(argv)
  let locale = guessed.lang === 'en' || guessed.lang === 'zh-CN' ? guessed.lang : toLocale(io.env)
  let json = guessed.json
  try {
    const invocation = parseArguments(argv)
    locale = invocation.globals.lang ?? locale
    json = invocation.globals.json
    return exitCodes[await dispatch(invocation, out, locale, io)]
  } catch (error) {
    if (io.signal.aborted) return exitCodes.interrupted
    const { renderFailure } = await import('./render/render-failure.ts')
    return exitCodes[renderFailure(error, out, locale, json)]
  }
}

async function dispatch(invocation: Invocation, out: Output, locale: Locale, io: Io): Promise<ExitName> {
  const { command, globals, positionals, values } = invocation
  const text = createText(locale)
  const opened: Center[] = []
  const connect = async (): Promise<Center> => {
    const former = opened[0]
    if (former !== undefined) return former
    const { connectToCenter } = await import('./connection/connect-to-center.ts')
    const center = await connectToCenter(globals, io)
    opened.push(center)
    return center
  }
  const context: CommandContext = { io, out, text, locale, globals, connect }
  try {
    if (globals.help && command !== 'help') {
      const { renderCommandHelp } = await import('./render/render-help.ts')
      renderCommandHelp(locale, command, out.style).forEach(out.styledLine)
      return 'ok'
    }
    return await runCommand(command, { values, positionals, context })
  } finally {
    for (const center of opened) center.close()
  }
}

async function runCommand<N extends CommandName>(
  command: N,
  call: Omit<Call<N>, 'values'> & { readonly values: Invocation['values'] },
): Promise<ExitName> {
  const runOne: Run<N> = await commandModules[command]()
  // as: parseArguments read the values by this command's own specs, from which CommandValues is derived
  return runOne({ ...call, values: call.values as CommandValues<N> })
}
