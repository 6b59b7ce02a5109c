export type { DoorContent } from './decode.ts'
export { createDoor, defaultTapPatterns, type Door, type DoorOptions } from './door.ts'
export { renderInstall as renderDoor } from './render.ts'
