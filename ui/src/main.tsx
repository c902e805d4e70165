import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiError, whenSessionEnds } from './lib/api.ts';
import { followTheme } from './lib/theme.ts';
import { makeRouter } from './router.tsx';

followTheme();
const cache = new QueryClient({
  defaultOptions: {
    queries: {
      // Events say what changed.
      staleTime: 15_000,
      retry: (failures, error) =>
        failures < 2 && error instanceof ApiError && (error.status === 0 || error.status >= 500),
    },
  },
});
const router = makeRouter();
whenSessionEnds(() => {
  const { pathname, searchStr } = router.state.location;
  if (pathname === '/login') return;
  cache.clear();
  void router.navigate({ to: '/login', search: { to: `${pathname}${searchStr}` }, replace: true });
});
createRoot(document.querySelector('#root')!).render(
  <StrictMode>
    <QueryClientProvider client={cache}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
