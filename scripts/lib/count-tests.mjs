// Prints the closing line of scripts/test from vitest's JSON report and exits non-zero unless everything ran and passed.
// A skipped test or a file that did not load is a failure: a check that did not run must not read as passed.
import { readFileSync } from 'node:fs'

const [reportPath, otherFailures] = process.argv.slice(2)
let passed = 0
let failed = otherFailures === '0' ? 0 : 1
try {
  const report = JSON.parse(readFileSync(reportPath, 'utf8'))
  const tests = report.testResults.flatMap((file) => file.assertionResults)
  passed = tests.filter((test) => test.status === 'passed').length
  const notPassed = tests.filter((test) => test.status !== 'passed')
  for (const test of notPassed) console.log(`${test.status.toUpperCase()}  ${test.fullName}`)
  const unloaded = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0)
  for (const file of unloaded) console.log(`NOT LOADED  ${file.name}`)
  failed = Math.max(failed, notPassed.length + unloaded.length)
} catch (error) {
  console.log(`no test report: ${error.message}`)
  failed = Math.max(failed, 1)
}
if (passed === 0) failed = Math.max(failed, 1)
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
