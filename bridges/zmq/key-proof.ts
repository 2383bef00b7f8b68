import { createHmac, createPrivateKey, createPublicKey, diffieHellman, timingSafeEqual } from 'node:crypto'
import { decodeZ85 } from './z85.ts'

/** How Node wants a raw X25519 key wrapped (RFC 8410): these bytes, then the 32 of the key. */
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex')
const PUBLIC_PREFIX = Buffer.from('302a300506032b656e032100', 'hex')
const LABEL = 'rb1 hello'

/**
 * Proves the key of a connection to the server. ZeroMQ checks keys, but tells the application neither with which key a message came nor, in
 * its ZAP requests, which routing id a connection has; so a `hello` carries the public key and this proof. CURVE keys are X25519 keys: both ends
 * know the shared secret X25519(own secret, other's public), and nobody else does. HMAC-SHA256 of the routing id with it binds the key to one
 * connection: the proof is of no use under another routing id, and a routing id that is in use cannot be taken over.
 *
 * @param secretKey own, Z85
 * @param publicKey the other end's, Z85
 * @returns 64 hexadecimal digits
 */
export function proveKey(secretKey: string, publicKey: string, routingId: Uint8Array): string {
  const shared = diffieHellman({
    privateKey: createPrivateKey({
      key: Buffer.concat([PRIVATE_PREFIX, decodeZ85(secretKey)]),
      format: 'der',
      type: 'pkcs8',
    }),
    publicKey: createPublicKey({
      key: Buffer.concat([PUBLIC_PREFIX, decodeZ85(publicKey)]),
      format: 'der',
      type: 'spki',
    }),
  })
  return createHmac('sha256', shared).update(LABEL).update(routingId).digest('hex')
}

/** Whether `proof` is what the holder of `publicKey` makes for the holder of `secretKey` and this routing id. */
export function isKeyProof(proof: string, secretKey: string, publicKey: string, routingId: Uint8Array): boolean {
  const given = Buffer.from(proof, 'hex')
  const expected = Buffer.from(proveKey(secretKey, publicKey, routingId), 'hex')
  return given.length === expected.length && timingSafeEqual(given, expected)
}
