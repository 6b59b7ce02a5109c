/** Random plans, asked of the loaded tables by frames. */
import { testDifferentially } from '@hyperward/datapath-testkit'

import { createNftLab } from './testing/nft-lab.ts'

testDifferentially({
  title: 'nftables decides as the plan says',
  open: () => createNftLab('hwndiff'),
  deliveries: ['bridge'],
  runs: 40,
})
