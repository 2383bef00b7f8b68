import { beforeAll, describe, expect, it } from 'vitest'
import { cases } from '../../envs/check-cases.ts'
import type { CheckResult } from '../../envs/check.ts'
import { checkEnv } from '../../envs/check.ts'
import type { Env } from '../../src/core/env.ts'

/** Random steps of each case: more show nothing new. */
const STEPS = 25

/** One test per case of the env contract, on the envs that `make` gives. */
export function envContract(name: string, make: () => Promise<Env>, steps = STEPS): void {
  describe(`env contract: ${name}`, () => {
    let results: CheckResult[] = []
    beforeAll(async () => {
      results = await checkEnv(make, { steps })
    })
    for (const caseName of Object.keys(cases)) {
      it(caseName, () => {
        expect(results.find((result) => result.name === caseName)).toEqual({ name: caseName, ok: true, detail: '' })
      })
    }
  })
}
