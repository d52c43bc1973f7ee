// The server's pages: nodes, what `windlass doctor` finds, what it runs with.
export const serverTabs = [{ id: 'nodes', label: 'Nodes', href: '/nodes' }, { id: 'doctor', label: 'Doctor', href: '/doctor' }, { id: 'settings', label: 'Settings', href: '/settings' }];
