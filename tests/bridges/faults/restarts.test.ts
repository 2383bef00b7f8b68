import { expect, it } from 'vitest'
import { PATIENT } from '../helpers.ts'
import { spawnScript } from './harness.ts'
import { restartAgainAndAgain } from './restarts.ts'

const RESTARTS = 8

it(`a robot whose process is killed ${RESTARTS} times executes nothing of before`, async () => {
  const report = await restartAgainAndAgain(RESTARTS, (endpoint) =>
    spawnScript('robot-process.ts', JSON.stringify({ ...PATIENT, ...(endpoint && { endpoint }) })),
  )
  console.log(`${report.sent} actions sent, ${report.received} seen by a robot, ${report.applied} executed`)
  expect(report).toMatchObject({ restarts: RESTARTS, stale: [] })
  expect(report.received).toBeGreaterThan(2 * report.applied)
}, 300_000)
