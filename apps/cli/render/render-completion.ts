/** Completion scripts, from the command table. They hold the words themselves: completing starts no process. */
import type { OptionSpec } from '../command-table/command-spec.ts'
import { commandNames, specOf } from '../command-table/command-table.ts'
import { globalOptions } from '../command-table/global-options.ts'

type Options = Readonly<Record<string, OptionSpec>>

interface Words {
  /** `''` is the level of commands themselves. */
  readonly command: string
  readonly next: readonly string[]
  readonly options: readonly string[]
  readonly files: boolean
}

export function renderBashCompletion(): string {
  const levels = collectWords()
  const next = levels.map(({ command, next }) => `    '${command}') words='${next.join(' ')}' ;;`)
  const options = levels.map(({ command, options }) => `    '${command}') options='${options.join(' ')}' ;;`)
  const files = levels.filter((level) => level.files).map(({ command }) => `'${command}'`)
  const values = valueCases().map(
    ({ pattern, choices }) =>
      `    ${pattern}) COMPREPLY=($(compgen -W '${choices.join(' ')}' -- "$current")); return ;;`,
  )
  return `# bash completion of hyperward; source <(hyperward completion bash)
_hyperward() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command='' word words='' options='' index
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    case $word in
    ${toPattern(withValue(globalOptions))}) ((index++)) ; continue ;;
    -*) continue ;;
    esac
    case "\${command:+$command }$word" in
    ${levels
      .filter(({ command }) => command !== '')
      .map(({ command }) => `'${command}'`)
      .join(' | ')}) command="\${command:+$command }$word" ;;
    *) break ;;
    esac
  done
  case "$command $previous" in
${values.join('\n')}
    *' '${toPattern(allFileOptions(), "*' '")}) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case $command in
${next.join('\n')}
  esac
  case $command in
${options.join('\n')}
  esac
  if [[ $current == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$current")); return; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  case $command in
    ${files.join(' | ')}) COMPREPLY+=($(compgen -f -- "$current")) ;;
  esac
}
complete -o filenames -F _hyperward hyperward ./hyperward
`
}

/** zsh runs the same function through its own emulation of bash's completion. */
export function renderZshCompletion(): string {
  return `#compdef hyperward
# zsh completion of hyperward; hyperward completion zsh > ~/.zfunc/_hyperward
autoload -U +X bashcompinit && bashcompinit
${renderBashCompletion()}`
}

function collectWords(): readonly Words[] {
  const prefixes = new Set(commandNames.flatMap((name) => (name.includes(' ') ? [name.split(' ')[0] ?? ''] : [])))
  const levels = ['', ...new Set([...commandNames, ...prefixes])]
  return levels.map((command) => {
    const spec = commandNames.find((name) => name === command)
    const known = spec === undefined ? null : specOf(spec)
    const below = commandNames
      .filter((name) => (command === '' ? true : name.startsWith(`${command} `)))
      .map((name) => (command === '' ? name : name.slice(command.length + 1)).split(' ')[0] ?? '')
    const choices = known?.positionals.flatMap((positional) =>
      positional.complete === 'command'
        ? commandNames.map((name) => name.split(' ')[0] ?? '')
        : (positional.choices ?? []),
    )
    return {
      command,
      next: [...new Set([...below, ...(choices ?? [])])],
      options: optionWords({ ...known?.options, ...globalOptions }),
      files: known?.positionals.some((positional) => positional.complete === 'file') === true,
    }
  })
}

function optionWords(options: Options): readonly string[] {
  return Object.entries(options).flatMap(([name, { short }]) => [
    `--${name}`,
    ...(short === undefined ? [] : [`-${short}`]),
  ])
}

/** Values an option takes, by command. */
function valueCases(): readonly { readonly pattern: string; readonly choices: readonly string[] }[] {
  const own = commandNames.flatMap((name) =>
    Object.entries<OptionSpec>(specOf(name).options).flatMap(([option, { choices }]) =>
      choices === undefined ? [] : [{ pattern: `'${name} --${option}'`, choices }],
    ),
  )
  const everywhere = Object.entries<OptionSpec>(globalOptions).flatMap(([option, { choices }]) =>
    choices === undefined ? [] : [{ pattern: `*' --${option}'`, choices }],
  )
  return [...own, ...everywhere]
}

function allFileOptions(): readonly string[] {
  const all = [globalOptions, ...commandNames.map((name) => specOf(name).options)].flatMap((options) =>
    Object.entries<OptionSpec>(options),
  )
  return [...new Set(all.filter(([, spec]) => spec.complete === 'file').map(([name]) => `--${name}`))]
}

function withValue(options: Options): readonly string[] {
  return Object.entries(options).flatMap(([name, spec]) => (spec.type === 'string' ? [`--${name}`] : []))
}

function toPattern(words: readonly string[], prefix = ''): string {
  return words.join(` | ${prefix}`)
}
