package org.descant.serving.web;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.exc.StreamReadException;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.cfg.CoercionAction;
import tools.jackson.databind.cfg.CoercionInputShape;
import tools.jackson.databind.exc.MismatchedInputException;
import tools.jackson.databind.exc.UnrecognizedPropertyException;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.type.LogicalType;

/** JSON at the door: strict when it comes in, and what is wrong with it is said in a sentence. */
final class Json {
  private static final JsonMapper STRICT =
      JsonMapper.builder(
              JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build())
          .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
          .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
          .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
          .withCoercionConfig(
              LogicalType.Textual,
              text -> {
                for (CoercionInputShape other :
                    List.of(
                        CoercionInputShape.Integer,
                        CoercionInputShape.Float,
                        CoercionInputShape.Boolean)) {
                  text.setCoercion(other, CoercionAction.Fail);
                }
              })
          .build();

  private Json() {}

  static byte[] bytes(Object value) {
    return STRICT.writeValueAsBytes(value);
  }

  static String text(Object value) {
    return STRICT.writeValueAsString(value);
  }

  /**
   * Reads a record.
   *
   * @throws Router.BadRequest in a sentence that names the field
   */
  static <T> T read(byte[] bytes, Class<T> type) {
    try {
      T value = STRICT.readValue(bytes, type);
      if (value == null) {
        throw new Router.BadRequest("The body is null; send a JSON object.");
      }
      return value;
    } catch (JacksonException e) {
      throw new Router.BadRequest(sentence(e, type));
    }
  }

  private static String sentence(JacksonException e, Class<?> type) {
    return switch (e) {
      case UnrecognizedPropertyException unknown ->
          "There is no field \"%s\" here; there are %s."
              .formatted(Router.shortened(unknown.getPropertyName()), fields(type));
      case MismatchedInputException wrong when !wrong.getPath().isEmpty() ->
          "The field \"%s\" must be %s."
              .formatted(
                  Router.shortened(String.valueOf(wrong.getPath().getFirst().getPropertyName())),
                  kind(wrong.getTargetType()));
      case MismatchedInputException wrong ->
          "The body must be one JSON object with the fields %s.".formatted(fields(type));
      case StreamReadException broken ->
          "The body is not JSON (line %d, column %d)."
              .formatted(broken.getLocation().getLineNr(), broken.getLocation().getColumnNr());
      default -> "The body is not JSON that can be read.";
    };
  }

  private static String fields(Class<?> type) {
    return Arrays.stream(type.getRecordComponents())
        .map(component -> component.getName())
        .collect(Collectors.joining(", "));
  }

  private static String kind(Class<?> target) {
    if (target == null) {
      return "something else";
    }
    if (target.isEnum()) {
      return "one of "
          + Arrays.stream(target.getEnumConstants())
              .map(constant -> constant.toString().toLowerCase(Locale.ROOT))
              .collect(Collectors.joining(", "));
    }
    return switch (target.getSimpleName()) {
      case "boolean", "Boolean" -> "true or false";
      case "Long", "long" -> "a whole number";
      case "Double", "double" -> "a number";
      case "String" -> "a text";
      case "List", "ArrayList" -> "a list of texts";
      default -> "something else";
    };
  }
}
