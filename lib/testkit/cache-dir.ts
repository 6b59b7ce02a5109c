import { join } from 'node:path'

/** `.cache/lab` at the top of the repository: guest images and libvirt's capabilities, kept between runs. */
export const defaultCacheDir = join(import.meta.dirname, '../../.cache/lab')
