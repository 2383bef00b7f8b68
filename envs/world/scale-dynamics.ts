import type { Collider, World } from '@dimforge/rapier3d-simd-compat'

/**
 * Multiplies the masses of the colliders of moving bodies (and with them the inertia) and the frictions of all colliders of a world.
 * 1 changes no bit. It does not reach masses that were set on bodies instead of colliders.
 */
export function scaleDynamics(world: World, massScale: number, frictionScale: number): void {
  world.forEachCollider((collider) => scaleCollider(collider, massScale, frictionScale))
}

/** The same for one collider. */
export function scaleCollider(collider: Collider, massScale: number, frictionScale: number): void {
  if (massScale !== 1 && collider.parent()?.isDynamic() === true) collider.setMass(collider.mass() * massScale)
  if (frictionScale !== 1) collider.setFriction(collider.friction() * frictionScale)
}
