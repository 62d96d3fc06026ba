package example;

/** A class of a layer. */
public class Greeting {
  static String to(String whom) {
    return "hello " + whom;
  }
}
