/**
 * Keeps the host's certificate fresh: at two thirds of its life a new key is made and signed over the channel. The new identity is used from the next
 * connection on, and the old one stays until the new one is saved.
 */
import { OperationError } from '@hyperward/model'

import { checkIssued } from './check-issued.ts'
import { readCertificateLife, type HostIdentity } from './host-identity.ts'

export interface RenewalOptions {
  readonly identity: () => HostIdentity
  readonly createKeyAndCsr: () => Promise<{ readonly keyPem: string; readonly csrPem: string }>
  readonly send: (csrPem: string) => boolean
  /** Saves and uses it. */
  readonly onRenewed: (identity: HostIdentity) => Promise<void>
  readonly onFailed: (message: string) => void
  readonly now: () => number
  /** How long an answer is waited for before it is asked again. */
  readonly askAgainMs: number
}

export interface Renewal {
  /** Asks if it is time to, and no question is open. Called now and then, and on each new connection. */
  check(): Promise<void>
  onCertificate(certificatePem: string): Promise<void>
}

export function createRenewal(options: RenewalOptions): Renewal {
  let pendingKeyPem: string | null = null
  let askedAt = -Infinity
  return {
    async check() {
      const { beginsAt, endsAt } = readCertificateLife(options.identity())
      const due = beginsAt + ((endsAt - beginsAt) * 2) / 3
      if (options.now() < due || options.now() - askedAt < options.askAgainMs) return
      askedAt = options.now()
      const { keyPem, csrPem } = await options.createKeyAndCsr()
      if (options.send(csrPem)) pendingKeyPem = keyPem
      else askedAt = -Infinity
    },
    async onCertificate(certificatePem) {
      const keyPem = pendingKeyPem
      pendingKeyPem = null
      if (keyPem === null) return options.onFailed('the center sent a certificate nobody asked for; it was ignored')
      const renewed: HostIdentity = { ...options.identity(), keyPem, certificatePem }
      const problem = checkIssued(renewed)
      if (problem !== null) return options.onFailed(`the renewed certificate was refused: ${problem}`)
      try {
        await options.onRenewed(renewed)
      } catch (error) {
        if (!(error instanceof OperationError)) throw error
        options.onFailed(
          `the renewed certificate could not be saved, the present one stays in use: ${error.code}: ${error.message}`,
        )
      }
    },
  }
}
