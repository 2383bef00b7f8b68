import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { curveKeyPair } from 'zeromq'
import { ObserverClient } from '../../../bridges/client/observer-client.ts'
import { PolicyClient } from '../../../bridges/client/policy-client.ts'
import { encodeMessage } from '../../../bridges/protocol/codec.ts'
import type { Message } from '../../../bridges/protocol/messages.ts'
import { LogFiles } from '../../../bridges/recording/log-files.ts'
import type { LogPlayerOptions } from '../../../bridges/recording/log-player.ts'
import { LogPlayer } from '../../../bridges/recording/log-player.ts'
import { LogWriter } from '../../../bridges/recording/log-writer.ts'
import { Authorization } from '../../../bridges/zmq/authorization.ts'
import type { KeyPair } from '../../../bridges/zmq/keys.ts'
import { authorizeKey } from '../../../bridges/zmq/keys.ts'
import { appliedOf, observationOf } from '../observations.ts'
import { sampleMessages } from '../protocol/samples.ts'
import { clock } from '../simple-robot.ts'
import { PATIENCE_MS } from '../helpers.ts'

let folder: string
const open: { close(): Promise<void> }[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'player-'))
})
afterEach(async () => {
  for (const it of open.splice(0).toReversed()) await it.close()
  await rm(folder, { recursive: true })
})

const sample = sampleMessages.find(({ kind }) => kind === 'welcome')!
// Recorded when the recorder's clock was 5 s ahead of the robot's.
const welcome = {
  ...sample,
  mode: 'realtime',
  imageCodec: 'raw',
  timeUs: 1_050_000,
  epoch: 3,
  session: 'abcd',
} as Message
const observations = Array.from({ length: 10 }, (_, i) => observationOf(i + 1, i, appliedOf(i)))

async function record(name = 'a.rblog', messages: readonly Message[] = [welcome, ...observations]): Promise<string> {
  const path = join(folder, name)
  const writer = await LogWriter.create(path, { maxFileBytes: 3000 })
  for (const message of messages) writer.append(message.timeUs + 5_000_000, encodeMessage(message))
  await writer.close()
  return path
}

async function play(path: string, options: Partial<LogPlayerOptions> = {}): Promise<LogPlayer> {
  const log = await LogFiles.open(path)
  const player = await LogPlayer.open(log, { clock, ...options })
  open.push(log, player)
  return player
}

describe('a log player', () => {
  it('publishes what was recorded, byte for byte and in its time, over all files, and can be asked like a robot', async () => {
    const path = await record()
    const player = await play(path)
    const heard: { readonly bytes: Uint8Array; readonly arrivalUs: number; readonly captureUs?: number }[] = []
    const changes: string[] = []
    const done = player.play(new AbortController().signal)
    const observer = await ObserverClient.connect({
      endpoint: player.endpoints.control,
      clock,
      timeoutMs: PATIENCE_MS,
      onMessage: (message, arrival) => void (message.kind === 'observation' && heard.push(arrival)),
      onChange: (change) => changes.push(change),
    })
    open.push(observer)
    expect(observer.welcome).toMatchObject({ schema: { name: 'armature/PushPuck-v0' }, role: 'observer', run: 'abcd' })
    expect(await done).toBe(10)
    await player.close()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(heard.map(({ bytes }) => Buffer.from(bytes))).toEqual(observations.map((message) => encodeMessage(message)))
    // 450 ms between the first and the last; captured when they were sent.
    const spanMs = (heard.at(-1)!.arrivalUs - heard[0]!.arrivalUs) / 1000
    expect(spanMs).toBeGreaterThan(150)
    const ages = heard.map(({ arrivalUs, captureUs }) => arrivalUs - captureUs!).toSorted((a, b) => a - b)
    expect(Math.abs(ages[5]!)).toBeLessThan(300_000)
    expect(changes).toEqual(['bye'])
  })

  it('is as much faster as it is told to be', async () => {
    const times = Array.from({ length: 11 }, (_, i) => ({
      ...observationOf(i + 1, i, appliedOf(i)),
      timeUs: 2_000_000 + i * 100_000,
    }))
    let nowUs = 0
    const waits: number[] = []
    const player = await play(await record('fast.rblog', [{ ...welcome, timeUs: 2_000_000 } as Message, ...times]), {
      speed: 4,
      clock: () => nowUs,
      sleep: async (ms) => {
        waits.push(ms)
        nowUs += ms * 1000
      },
    })
    const done = player.play(new AbortController().signal)
    const observer = await ObserverClient.connect({ endpoint: player.endpoints.control, clock, timeoutMs: PATIENCE_MS })
    open.push(observer)
    expect(await done).toBe(11)
    // A listener has half a second to subscribe; then a second passes in a quarter of it.
    expect(waits.map(Math.round)).toEqual([500, ...Array.from({ length: 10 }, () => 25)])
  })

  it('with keys shows itself to those on the list alone, whatever their role', async () => {
    const list = join(folder, 'authorized_keys.json')
    const [keys, known, stranger] = ['player', 'known', 'stranger'].map((name) => ({ name, ...curveKeyPair() }))
    await authorizeKey(list, { publicKey: known!.publicKey, name: 'known', role: 'controller' })
    const security = { keys: keys!, authorization: await Authorization.open(list, Date.now) }
    const { endpoints } = await play(await record(), { security })
    const connect = (own?: KeyPair): Promise<PolicyClient> => {
      const access = own && { security: { keys: own, robotKey: keys!.publicKey } }
      return PolicyClient.connect({ endpoint: endpoints.control, clock, role: 'observer', timeoutMs: 1000, ...access })
    }
    const client = await connect(known)
    open.push(client)
    const { observation, telemetry } = endpoints
    expect(client.welcome).toMatchObject({ role: 'observer', insecure: false, endpoints: { observation, telemetry } })
    await expect(connect(stranger)).rejects.toThrow('no robot at')
    await expect(connect()).rejects.toThrow('no robot at')
    await writeFile(list, '{"keys": []}')
    await new Promise((resolve) => setTimeout(resolve, 1500))
    await expect(connect(known)).rejects.toThrow('no robot at')
  })

  it('refuses to be driven', async () => {
    const player = await play(await record())
    const client = await PolicyClient.connect({ endpoint: player.endpoints.control, clock, timeoutMs: PATIENCE_MS })
    open.push(client)
    await expect(client.lease()).rejects.toThrow('the robot refuses (role_forbidden): got this is a recording')
  })

  it('waits for a listener, and not after an abort', async () => {
    const player = await play(await record())
    const abort = new AbortController()
    const done = player.play(abort.signal)
    setTimeout(() => abort.abort(), 30)
    expect(await done).toBe(0)
  })

  it('says what is wrong with a recording or an address', async () => {
    await expect(LogFiles.open(join(folder, 'none.rblog'))).rejects.toMatchObject({ code: 'not-found' })
    await writeFile(join(folder, 'text.rblog'), 'hello, this is text')
    await expect(LogFiles.open(join(folder, 'text.rblog'))).rejects.toMatchObject({ code: 'corrupt-file' })
    await expect(play(await record('b.rblog', observations))).rejects.toMatchObject({ code: 'corrupt-file' })
    const log = await LogFiles.open(await record('c.rblog'))
    open.push(log)
    await expect(LogPlayer.open(log, { clock, endpoint: 'tcp://0.0.0.0:*' })).rejects.toThrow(
      'tcp://0.0.0.0:* can be reached by others',
    )
  })
})
