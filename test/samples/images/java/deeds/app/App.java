package app;

import com.amazonaws.services.lambda.runtime.Context;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** One function for images, which does what its event says. */
public class App {
  private static Map<String, Object> tell(Context context) throws Exception {
    return Map.of(
        "requestId", context.getAwsRequestId(),
        "remainingMs", context.getRemainingTimeInMillis(),
        "client", Map.of("custom", context.getClientContext().getCustom()),
        "trace", System.getProperty("com.amazonaws.xray.traceHeader", ""),
        "runtimeApi", System.getenv("AWS_LAMBDA_RUNTIME_API"),
        "user", Files.getAttribute(Path.of("/proc/self"), "unix:uid"));
  }

  public Object handle(Map<String, Object> event, Context context) throws Exception {
    switch (event.get("do").toString()) {
      case "tell":
        return tell(context);
      case "fail":
        throw new IllegalStateException("boom");
      case "exit":
        System.exit(((Number) event.get("code")).intValue());
        return null;
      case "hang":
        Thread.sleep(600_000);
        return null;
      default:
        return event.get("event");
    }
  }
}
