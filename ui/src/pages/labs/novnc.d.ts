// What is used of noVNC, which brings no types.
declare module '@novnc/novnc' {
  export default class RFB extends EventTarget {
    constructor(target: HTMLElement, socket: WebSocket, options?: { shared?: boolean });
    viewOnly: boolean;
    scaleViewport: boolean;
    background: string;
    focus(): void;
    disconnect(): void;
    sendCtrlAltDel(): void;
    addEventListener(kind: 'connect', heard: () => void): void;
    addEventListener(kind: 'disconnect', heard: (event: CustomEvent<{ clean: boolean }>) => void): void;
  }
}
