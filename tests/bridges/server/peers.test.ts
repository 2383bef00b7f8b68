import { describe, expect, it } from 'vitest'
import type { Peer } from '../../../bridges/server/peers.ts'
import { Peers } from '../../../bridges/server/peers.ts'

const nobody = (): boolean => false

function peers(keys: readonly (string | undefined)[], keeps = 2): Peers {
  const all = new Peers({ maxPeers: 8, maxPeersPerKey: keeps, messagesPerSecond: 400 })
  keys.forEach((publicKey, k) =>
    all.add(Buffer.from([k]), { name: `client ${k}`, role: 'controller', publicKey, imageCodec: 'raw' }, k * 1000),
  )
  return all
}

describe('clients', () => {
  it('of one key are limited, whatever the others do', () => {
    const all = peers(['mine', 'mine', 'other'])
    const text = '2 clients with this key are connected already'
    expect(all.crowd({ role: 'controller', publicKey: 'mine' }, nobody)).toMatchObject({ text })
    expect(all.crowd({ role: 'observer', publicKey: 'mine' }, nobody)).toMatchObject({ text })
    expect(all.crowd({ role: 'controller', publicKey: 'other' }, nobody)).toBeUndefined()
    expect(all.crowd({ role: 'controller', publicKey: 'new' }, nobody)).toBeUndefined()
  })

  it('without keys are no crowd of one key', () => {
    expect(peers([undefined, undefined, undefined]).crowd({ role: 'controller', publicKey: undefined }, nobody)).toBe(
      undefined,
    )
  })

  it('of one key make room in the order of their silence, but for the one that is kept', () => {
    const all = peers(['mine', 'mine'])
    const silent = (keeps: (peer: Peer) => boolean): string | undefined =>
      all.crowd({ role: 'operator', publicKey: 'mine' }, keeps)?.longestSilent?.name
    expect(silent(nobody)).toBe('client 0')
    expect(silent(({ name }) => name === 'client 0')).toBe('client 1')
    expect(silent(() => true)).toBeUndefined()
  })
})
