import type { commandTable, CommandName } from '../command-table/command-table.ts'

/** The routes the command table declares: another cannot be asked for, and a test compares them with schema/openapi.json. */
export type Route = (typeof commandTable)[CommandName]['routes'][number]

type ParamNames<R extends string> = R extends `${string}{${infer P}}${infer Rest}` ? P | ParamNames<Rest> : never

export type PathParams<R extends Route> = Readonly<Record<ParamNames<R>, string | number>>

export interface RouteTarget {
  readonly method: string
  readonly path: string
}

export function toTarget(route: Route, params: Readonly<Record<string, string | number>>): RouteTarget {
  const [method = '', pattern = ''] = route.split(' ')
  const path = pattern.replaceAll(/\{(\w+)\}/g, (_whole, name: string) =>
    encodeURIComponent(String(params[name] ?? '')),
  )
  return { method, path }
}
