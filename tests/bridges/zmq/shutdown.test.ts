import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { openActive, openBridge, until, wait } from '../helpers.ts'
import { clock } from '../simple-robot.ts'

const LOADER = fileURLToPath(new URL('../../../node_modules/tsx/dist/loader.mjs', import.meta.url))
const SCRIPT = fileURLToPath(new URL('undeliverable.ts', import.meta.url))

/** Runs the script; how long it lived after it was ready to go, and how it ended. */
async function leave(how: string): Promise<{ readonly ms: number; readonly code: number | null }> {
  const child = spawn(process.execPath, ['--import', LOADER, SCRIPT, how], { stdio: ['ignore', 'pipe', 'ignore'] })
  const killer = setTimeout(() => child.kill('SIGKILL'), 20_000)
  const exited = once(child, 'exit') as Promise<[number | null]>
  await Promise.race([once(child.stdout, 'data'), exited])
  const startUs = clock()
  const [code] = await exited
  clearTimeout(killer)
  return { ms: (clock() - startUs) / 1000, code }
}

describe('leaving with messages that nobody takes', () => {
  it.each([
    ['close', 0],
    ['exit', 3],
    ['throw', 1],
  ])('%s ends the process in less than a second', async (how, code) => {
    const left = await leave(how)
    expect(left.code).toBe(code)
    expect(left.ms).toBeLessThan(1000)
  })

  it('a robot says goodbye, stops and closes in time, even one that does not answer', async () => {
    const bridge = await openBridge()
    const told: string[] = []
    const client = await openActive(bridge, (event) => {
      if (event.source === 'connection') told.push(event.code)
    })
    bridge.robot.delay = () => wait(3000)
    client.act(Float32Array.of(0.5, 0), { observationSeq: 1 })
    await wait(60)
    const startUs = clock()
    await bridge.server.close()
    expect((clock() - startUs) / 1000).toBeLessThan(1000)
    expect(await until(() => told.includes('bye'))).toBe(true)
    expect(bridge.robot.stops).toContain('safe')
    await client.close()
  })
})
