/** Every fate of docs/packet-fates.md, and where nftables has another. */
import { testFates } from '@hyperward/datapath-testkit'

import { createNftLab } from './testing/nft-lab.ts'

testFates({
  open: () => createNftLab('hwnfate'),
  deliveries: ['bridge'],
  noPlanTitle: 'invariant 4: a tap that nftables guards but that has no plan passes nothing',
})
