/** Random plans, asked of the loaded kernel by frames. */
import { testDifferentially } from '@hyperward/datapath-testkit'

import { createDatapathLab } from './testing/datapath-lab.ts'

testDifferentially({
  title: 'the kernel decides as the plan says',
  open: () => createDatapathLab('hwediff'),
  deliveries: ['direct', 'bridge'],
  runs: 60,
})
