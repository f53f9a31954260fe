/** The WebSocket subprotocol. A breaking change makes v2, and both are served for a release. docs/wire.md. */
export const SUBPROTOCOL = 'sallyport.v1';
