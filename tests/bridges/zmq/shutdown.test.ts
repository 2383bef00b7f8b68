import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { openActive, openBridge, until, wait } from '../helpers.ts'

const LOADER = fileURLToPath(new URL('../../../node_modules/tsx/dist/loader.mjs', import.meta.url))
const SCRIPT = fileURLToPath(new URL('undeliverable.ts', import.meta.url))

/** Runs the script, and says how it ended: null where it did not by itself. */
async function leave(how: string): Promise<number | null> {
  const child = spawn(process.execPath, ['--import', LOADER, SCRIPT, how], { stdio: ['ignore', 'pipe', 'pipe'] })
  const killer = setTimeout(() => child.kill('SIGKILL'), 50_000)
  child.stdout.resume()
  child.stderr.resume()
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(killer)
  return code
}

describe('leaving with messages that nobody takes', () => {
  it.each([
    ['close', 0],
    ['exit', 3],
    ['throw', 1],
  ])('%s ends the process, which would linger for ever', async (how, code) => {
    expect(await leave(how)).toBe(code)
  })

  it('a robot says goodbye, stops and closes, even one that does not answer', async () => {
    const bridge = await openBridge()
    const told: string[] = []
    const client = await openActive(bridge, (event) => {
      if (event.source === 'connection') told.push(event.code)
    })
    bridge.robot.delay = () => new Promise(() => {})
    client.act(Float32Array.of(0.5, 0), { observationSeq: 1 })
    await wait(60)
    await bridge.server.close()
    expect(await until(() => told.includes('bye'))).toBe(true)
    expect(bridge.robot.stops).toContain('safe')
    await client.close()
  })
})
