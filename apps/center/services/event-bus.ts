import type { ApiStreamLine } from '@hyperward/protocol'

/** Tells what was just stored to those who follow along. Never a source of truth: a follower that missed something reads it from the store. */
export interface EventBus {
  emit(line: ApiStreamLine): void
  subscribe(listener: (line: ApiStreamLine) => void): () => void
}

export function createEventBus(): EventBus {
  const listeners = new Set<(line: ApiStreamLine) => void>()
  return {
    emit(line) {
      for (const listener of listeners) listener(line)
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
