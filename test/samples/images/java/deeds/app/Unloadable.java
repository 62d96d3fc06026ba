package app;

import com.amazonaws.services.lambda.runtime.Context;
import java.util.Map;

/** A function of which there is no instance. */
public class Unloadable {
  public Unloadable() {
    throw new IllegalArgumentException("not today");
  }

  public Object handle(Map<String, Object> event, Context context) {
    return event;
  }
}
