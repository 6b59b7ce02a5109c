import { exec } from '@hyperward/os'

/** One transaction: all of it or none. null, or what nft said. */
export async function applyScript(lines: readonly string[]): Promise<string | null> {
  if (lines.length === 0) return null
  const { code, stderr } = await exec('nft', ['-f', '-'], { input: `${lines.join('\n')}\n`, timeoutMs: 60_000 })
  return code === 0 ? null : `nft: ${stderr.trim().split('\n').slice(0, 3).join(' | ')}`
}
