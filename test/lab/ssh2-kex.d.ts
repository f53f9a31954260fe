declare module 'ssh2/lib/protocol/kex.js' {
  /** The first message of a key exchange; not in the types of ssh2. */
  const kex: {
    KexInit: new (offer: unknown) => {
      lists: Record<string, { array: string[] } & Record<string, { array: string[] }>>;
    };
  };
  export default kex;
}
