import { execOk } from '@hyperward/os'

/** One transaction: all of it or none. Throws `os.exec-failed` with what nft said. */
export async function applyScript(script: string): Promise<void> {
  await execOk('nft', ['-f', '-'], { input: script })
}
