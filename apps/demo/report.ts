/** Expected beside observed, counted; the last line is `N of N as expected`. */
export interface Check {
  readonly what: string
  readonly expected: string
  readonly observed: string
}

export interface Report {
  heading(text: string): void
  check(check: Check): void
  note(text: string): void
  /** Prints the closing line and tells whether every expectation held. */
  end(): boolean
}

export function createReport(print: (line: string) => void, colour: boolean): Report {
  let held = 0
  let all = 0
  const paint = (code: number, text: string): string => (colour ? `\u001B[${code}m${text}\u001B[0m` : text)
  return {
    heading: (text) => print(`\n${paint(1, text)}`),
    note: (text) => print(`  ${text}`),
    check: ({ what, expected, observed }) => {
      all += 1
      const asExpected = expected === observed
      if (asExpected) held += 1
      const mark = asExpected ? paint(32, 'ok') : paint(31, 'NOT AS EXPECTED')
      print(`  ${what.padEnd(52)} expected ${expected.padEnd(10)} observed ${observed.padEnd(10)} ${mark}`)
    },
    end: () => {
      print(`\n${held} of ${all} as expected`)
      return held === all && all > 0
    },
  }
}
