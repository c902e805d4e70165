import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet } from '@tanstack/react-router';
import { screens } from './screens.ts';
import { Failure, NotFound, Pending } from './shell/fallbacks.tsx';
import { Shell } from './shell/shell.tsx';

/** One route for each screen: those with a session in the frame of the application. */
export function makeRouter() {
  const root = createRootRoute({ component: Outlet, notFoundComponent: NotFound, errorComponent: Failure });
  const frame = createRoute({ getParentRoute: () => root, id: 'frame', component: Shell, errorComponent: Failure });
  const routeOf = (parent: typeof root | typeof frame) => (screen: (typeof screens)[number]) =>
    createRoute({
      getParentRoute: () => parent as typeof root,
      path: screen.path,
      component: lazyRouteComponent(screen.view),
      pendingComponent: Pending,
      errorComponent: Failure,
    });
  const open = screens.filter((screen) => screen.open).map(routeOf(root));
  const framed = screens.filter((screen) => !screen.open).map(routeOf(frame));
  return createRouter({
    routeTree: root.addChildren([frame.addChildren(framed), ...open]),
    basepath: '/ui',
    defaultPreload: 'intent',
    scrollRestoration: true,
  });
}
