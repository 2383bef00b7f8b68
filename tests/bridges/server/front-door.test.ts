import { mkdtemp, rm } from 'node:fs/promises'
import type { Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FrontDoor } from '../../../bridges/server/isolated/front-door.ts'
import { until } from '../helpers.ts'
import { clock } from '../simple-robot.ts'

const LIMITS = { maxFrameBytes: 1024, framesPerSecond: 50, bytesPerSecond: 16_384, maxSubscriptions: 32 }

// Where there are no sockets with paths there are no doors.
describe.skipIf(process.platform === 'win32')('a front door', () => {
  let folder: string
  let room: Server
  let door: FrontDoor
  let inside = 0
  const refused: string[] = []
  const callers: Socket[] = []

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'armature-door-'))
    inside = 0
    refused.length = 0
    room = createServer((socket) => {
      inside++
      socket.on('error', () => undefined).once('close', () => inside--)
    })
    const behind = join(folder, 'room')
    await new Promise<void>((resolve) => void room.listen(behind, resolve))
    door = await FrontDoor.open({
      endpoint: 'tcp://127.0.0.1:*',
      behind,
      limits: LIMITS,
      maxConnections: 3,
      maxPerAddress: 2,
      clock,
      onRefused: (text) => refused.push(text),
      onDropped: () => undefined,
    })
  })

  afterEach(async () => {
    for (const caller of callers.splice(0)) caller.destroy()
    door.close()
    room.close()
    await rm(folder, { recursive: true, force: true })
  })

  function call(localAddress: string): Socket {
    const socket = connect({ port: Number(door.endpoint.split(':').at(-1)), host: '127.0.0.1', localAddress })
    socket.on('error', () => undefined).on('close', () => callers.splice(callers.indexOf(socket), 1))
    callers.push(socket)
    return socket
  }

  it('lets so many in of one address, and the others all the same', async () => {
    const first = Array.from({ length: 5 }, () => call('127.0.0.1'))
    expect(await until(() => inside === 2 && refused.length === 3 && callers.length === 2)).toBe(true)
    expect(refused[0]).toBe('a connection from 127.0.0.1 was refused: there are 2 from there already')
    call('127.0.0.2')
    expect(await until(() => inside === 3)).toBe(true)
    for (const socket of first) socket.destroy()
    expect(await until(() => inside === 1)).toBe(true)
    // Who has left makes room.
    call('127.0.0.1')
    expect(await until(() => inside === 2)).toBe(true)
  })

  it('lets so many in at all', async () => {
    const addresses = Array.from({ length: 8 }, (_, k) => `127.0.0.${k + 1}`)
    for (const address of addresses) call(address)
    expect(await until(() => inside === 3 && refused.length === 5)).toBe(true)
  })
})
