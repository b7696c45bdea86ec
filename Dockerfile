# The sluice command with what it runs on, and nothing that builds it. A project is mounted at /project.
FROM node:22.16.0-bookworm-slim AS build
WORKDIR /sluice
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY workflows workflows
COPY activities activities
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:22.16.0-bookworm-slim
ENV NODE_ENV=production
WORKDIR /sluice
COPY LICENSE package.json ./
COPY --from=build /sluice/node_modules node_modules
COPY --from=build /sluice/dist dist
RUN ln -s /sluice/dist/src/cli/sluice.js /usr/local/bin/sluice
USER node
WORKDIR /project
ENTRYPOINT ["sluice"]
CMD ["worker"]
