import { join } from 'node:path'

import { writeFileAtomic } from '@hyperward/os'

import { renderDocs } from './render/render-docs.ts'

await writeFileAtomic(join(import.meta.dirname, '../../docs/cli.md'), renderDocs(), { mode: 0o644 })
