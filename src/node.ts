/**
 * For `node:http` and the frameworks that are built on it.
 *
 * @module mnet/node
 */
export { nodeHandler, type NodeExchange, type NodeHandler } from "./adapters/node-handler.ts";
