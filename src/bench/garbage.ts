import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

let collect: (() => void) | undefined

/**
 * Collects all garbage of this process, so that what its memory grows by is what it holds. From the first call on V8 also keeps the size of
 * its young generation, which otherwise doubles at some moment by more than a slow leak makes in hours, and the bytecode of functions
 * that have not been called lately, which forced collections would make it drop and compile again and again.
 */
export function collectGarbage(): void {
  if (collect === undefined) {
    setFlagsFromString('--semi-space-growth-factor=1')
    setFlagsFromString('--no-flush-bytecode')
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as () => void
  }
  collect()
}
