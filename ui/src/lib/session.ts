import { useQuery } from '@tanstack/react-query';
import { read } from './api.ts';
import type { Session } from './models.ts';

const RANK = { viewer: 0, operator: 1, admin: 2 };

/** The session of this browser; `data` is undefined until it is known. */
export const useSession = () =>
  useQuery({
    queryKey: ['session'],
    queryFn: ({ signal }) => read<Session>('/sessions/current', signal),
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });

/** Whether the session has the rights of a role. */
export function useMay(role: 'viewer' | 'operator' | 'admin'): boolean {
  const { data } = useSession();
  return data !== undefined && RANK[data.actor.role] >= RANK[role];
}
