/** Every fate of docs/packet-fates.md, delivered directly and over the bridge. */
import { testFates } from '@hyperward/datapath-testkit'

import { createDatapathLab } from './testing/datapath-lab.ts'

testFates({
  open: () => createDatapathLab('hwefate'),
  deliveries: ['direct', 'bridge'],
  noPlanTitle: 'invariant 4: a tap that is guarded but has no plan passes nothing',
})
