import type { Run } from '../command.ts'
import { renderBashCompletion, renderZshCompletion } from '../render/render-completion.ts'

export const completion: Run<'completion'> = async ({ positionals, context: { out } }) => {
  out.raw(positionals[0] === 'zsh' ? renderZshCompletion() : renderBashCompletion())
  return 'ok'
}
