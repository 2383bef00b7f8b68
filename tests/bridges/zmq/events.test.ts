import { Context, Dealer } from 'zeromq'
import { describe, expect, it } from 'vitest'
import { watchEvents } from '../../../bridges/zmq/events.ts'
import { bindRobotSockets, endpointsBeside } from '../../../bridges/zmq/sockets.ts'
import { until } from '../helpers.ts'

describe('events of sockets', () => {
  it('are told by both sides, and end with the socket, though one is waited for', async () => {
    const told: string[] = []
    const sockets = await bindRobotSockets(endpointsBeside('tcp://127.0.0.1:*'), {}, (name, { type }) => {
      told.push(`${name} ${type}`)
    })
    const { control, action } = sockets
    const events = [control.events, action.events]
    const client = new Dealer({ context: new Context({ blocky: false }), linger: 0 })
    const seen: string[] = []
    const end = watchEvents(client, ({ type }) => seen.push(type))
    client.connect(sockets.endpoints.control)
    expect(await until(() => seen.includes('handshake') && told.includes('control handshake'))).toBe(true)
    client.close()
    await end()
    expect(seen.at(-1)).toBe('end')
    expect(await until(() => told.includes('control disconnect'))).toBe(true)
    await sockets.close()
    for (const { closed } of events) expect(closed).toBe(true)
    expect(told.some((event) => event.startsWith('action handshake'))).toBe(false)
  })

  it('are not waited for without end where the last one is lost', async () => {
    const socket = new Dealer({ context: new Context({ blocky: false }), linger: 0 })
    const end = watchEvents(socket, () => undefined)
    // It is not closed: there is no last event.
    await end()
    expect(socket.events.closed).toBe(true)
    socket.close()
  })
})
