import * as fc from 'fast-check'

/**
 * fast-check with one seed for the whole suite, so that a run does not depend on luck. By hand, other cases:
 * `ARMATURE_FUZZ_SEED=7 npx vitest run tests/bridges/protocol`.
 */
fc.configureGlobal({ seed: Number(process.env['ARMATURE_FUZZ_SEED'] ?? 1) })

export { fc }
