import type { OpenTelemetryPlugin } from '@temporalio/interceptors-opentelemetry';

/** What the SDK's connections, workers and bundles take to tell OpenTelemetry what they do. */
export interface Tracing {
  readonly plugins: OpenTelemetryPlugin[];
  /** Sends what has not been sent yet. */
  readonly close: () => Promise<void>;
}

/**
 * Traces across client, workflows and activities, sent as OTLP where the standard variables say (`OTEL_EXPORTER_OTLP_ENDPOINT`,
 * `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, …). Nothing is loaded where they name no endpoint.
 *
 * Spans carry names and ids of workflows and activities: no SQL, no row.
 */
export async function startTracing(env: NodeJS.ProcessEnv, service: string): Promise<Tracing | undefined> {
  const off = env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true';
  if (off || !(env['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'])) return undefined;
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  const { envDetectorSync, Resource } = await import('@opentelemetry/resources');
  const { BatchSpanProcessor, NodeTracerProvider } = await import('@opentelemetry/sdk-trace-node');
  const { OpenTelemetryPlugin } = await import('@temporalio/interceptors-opentelemetry');
  const resource = new Resource({ 'service.name': service, ...envDetectorSync.detect().attributes });
  const spanProcessor = new BatchSpanProcessor(new OTLPTraceExporter());
  const provider = new NodeTracerProvider({ resource, spanProcessors: [spanProcessor] });
  // Whoever traces in this process, a user's own code too, finds it.
  provider.register();
  return {
    plugins: [new OpenTelemetryPlugin({ resource, spanProcessor })],
    close: () => provider.shutdown(),
  };
}
