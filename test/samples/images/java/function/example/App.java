package example;

import com.amazonaws.services.lambda.runtime.Context;
import java.util.Map;

/** A function that uses a class of a layer. */
public class App {
  public Map<String, Object> handle(Map<String, Object> event, Context context) {
    if (event.containsKey("fail")) throw new IllegalStateException(event.get("fail").toString());
    return Map.of(
        "event", event,
        "requestId", context.getAwsRequestId(),
        "greeting", Greeting.to("java"),
        "trace", System.getProperty("com.amazonaws.xray.traceHeader", ""));
  }
}
