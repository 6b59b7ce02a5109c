/** The verdicts that are neither plain allow nor plain drop. */
import { testVerdicts } from '@hyperward/datapath-testkit'

import { createNftLab } from './testing/nft-lab.ts'

testVerdicts({ open: () => createNftLab('hwnck'), deliveries: ['bridge'], followsConnections: false })
