/** Ways around policy that a guest can try with frames of its own. */
import { testEvasion } from '@hyperward/datapath-testkit'

import { createNftLab } from './testing/nft-lab.ts'

testEvasion({ open: () => createNftLab('hwnevade'), deliveries: ['bridge'] })
