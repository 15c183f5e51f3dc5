package org.descant.catalog;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.StringReader;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;
import org.jspecify.annotations.Nullable;

/**
 * An XML element as a small tree, read by StAX from a stranger's file: no DTD, no entities beyond
 * the five of XML itself, nothing fetched, and a limit on everything.
 *
 * <p>Names are local names: DDEX qualifies the root only, and senders differ in what they prefix.
 */
final class XmlElement {
  static final long FILE_BYTES_MAX = 64L << 20;
  static final int ELEMENTS_MAX = 2_000_000;
  static final int DEPTH_MAX = 64;
  static final int TEXT_CHARS_MAX = 100_000;
  static final int ATTRIBUTES_MAX = 64;

  private static final int HEAD_BYTES = 256;
  private static final Pattern ENCODING =
      Pattern.compile(
          "(?:\u00ef\u00bb\u00bf)?<\\?xml[^>]*?encoding\\s*=\\s*[\"']([A-Za-z0-9._:-]{1,40})[\"']");

  final String name;
  final String namespace;
  private final Map<String, String> attributes;
  private final List<XmlElement> children = new ArrayList<>();
  private String text = "";

  private XmlElement(String name, String namespace, Map<String, String> attributes) {
    this.name = name;
    this.namespace = namespace;
    this.attributes = attributes;
  }

  /** Hears of the root before the rest is read, and may refuse it by throwing. */
  @FunctionalInterface
  interface RootCheck {
    void check(String namespace, String localName);
  }

  /**
   * Reads a whole file.
   *
   * @throws CatalogException when the file is not well-formed XML or passes a limit
   */
  static XmlElement read(Path file, RootCheck rootCheck) {
    try {
      if (Files.size(file) == 0) {
        throw new CatalogException(file + " is empty; deliver a DDEX ERN 4.3 or 4.3.2 message.");
      }
      if (Files.size(file) > FILE_BYTES_MAX) {
        throw new CatalogException(
            "%s has %d bytes, more than the %d that a message may have; split the delivery."
                .formatted(file, Files.size(file), FILE_BYTES_MAX));
      }
      try (InputStream in = new BufferedInputStream(Files.newInputStream(file))) {
        return read(in, file.toString(), rootCheck);
      }
    } catch (IOException e) {
      throw new CatalogException("Cannot read %s: %s.".formatted(file, e.getMessage()), e);
    }
  }

  static XmlElement read(InputStream in, String what, RootCheck rootCheck) {
    XMLInputFactory factory = XMLInputFactory.newDefaultFactory();
    factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
    factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
    factory.setProperty(XMLInputFactory.IS_COALESCING, true);
    factory.setProperty(XMLInputFactory.IS_NAMESPACE_AWARE, true);
    factory.setXMLResolver((publicId, systemId, baseUri, namespace) -> {
      throw new XMLStreamException("it refers to the outside");
    });
    try {
      XMLStreamReader reader =
          factory.createXMLStreamReader(new StringReader(decoded(in.readAllBytes(), what)));
      try {
        return parse(reader, what, rootCheck);
      } finally {
        reader.close();
      }
    } catch (XMLStreamException e) {
      throw new CatalogException(
          "%s is not XML that can be read: %s; deliver a DDEX ERN 4.3 or 4.3.2 message."
              .formatted(what, oneLine(e)),
          e);
    } catch (IOException e) {
      throw new CatalogException("Cannot read %s: %s.".formatted(what, e.getMessage()), e);
    } catch (CatalogException e) {
      throw e;
    } catch (RuntimeException e) {
      // The JDK's reader answers some malformed documents with unchecked exceptions.
      throw new CatalogException(
          "%s is not XML that can be read; deliver a DDEX ERN 4.3 or 4.3.2 message."
              .formatted(what),
          e);
    }
  }

  /**
   * The document as text, in the encoding of its byte order mark or declaration, else UTF-8. The
   * JDK's XML reader would write faults of the encoding to the console.
   */
  private static String decoded(byte[] bytes, String what) {
    String head =
        new String(bytes, 0, Math.min(bytes.length, HEAD_BYTES), StandardCharsets.ISO_8859_1);
    String name;
    if (head.startsWith("\u00fe\u00ff") || head.startsWith("\u0000<")) {
      name = "UTF-16BE";
    } else if (head.startsWith("\u00ff\u00fe") || head.startsWith("<\u0000")) {
      name = "UTF-16LE";
    } else {
      Matcher declared = ENCODING.matcher(head);
      name = declared.lookingAt() ? declared.group(1) : "UTF-8";
    }
    try {
      String text = Charset.forName(name).newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      return text.startsWith("\ufeff") ? text.substring(1) : text;
    } catch (CharacterCodingException | IllegalArgumentException e) {
      throw new CatalogException(
          "%s is not XML that can be read: its bytes are not %s text; deliver a DDEX ERN 4.3 or 4.3.2 message."
              .formatted(what, Text.shorten(name, 40)),
          e);
    }
  }

  private static XmlElement parse(XMLStreamReader reader, String what, RootCheck rootCheck)
      throws XMLStreamException {
    Deque<XmlElement> open = new ArrayDeque<>();
    StringBuilder characters = new StringBuilder();
    XmlElement root = null;
    int elements = 0;
    while (reader.hasNext()) {
      switch (reader.next()) {
        case XMLStreamConstants.START_ELEMENT -> {
          if (++elements > ELEMENTS_MAX || open.size() >= DEPTH_MAX) {
            throw new CatalogException(
                "%s has more than %d elements or is nested deeper than %d; split the delivery."
                    .formatted(what, ELEMENTS_MAX, DEPTH_MAX));
          }
          XmlElement element = start(reader, what);
          XmlElement parent = open.peek();
          if (parent == null) {
            rootCheck.check(element.namespace, element.name);
            root = element;
          } else {
            parent.children.add(element);
          }
          open.push(element);
          characters.setLength(0);
        }
        case XMLStreamConstants.CHARACTERS, XMLStreamConstants.CDATA -> {
          if (characters.length() + reader.getTextLength() > TEXT_CHARS_MAX) {
            throw new CatalogException(
                "%s has a text of more than %d characters in %s; shorten it."
                    .formatted(what, TEXT_CHARS_MAX, open.isEmpty() ? "it" : open.element().name));
          }
          characters.append(
              reader.getTextCharacters(), reader.getTextStart(), reader.getTextLength());
        }
        case XMLStreamConstants.END_ELEMENT -> {
          XmlElement element = open.pop();
          if (element.children.isEmpty()) {
            element.text = Text.clean(characters.toString());
          }
          characters.setLength(0);
        }
        case XMLStreamConstants.DTD, XMLStreamConstants.ENTITY_REFERENCE ->
            throw new CatalogException(
                what
                    + " declares a DTD or an entity, which no DDEX message needs; remove it and"
                    + " deliver again.");
        default -> {
          // Comments, white space and processing instructions say nothing to us.
        }
      }
    }
    if (root == null) {
      throw new XMLStreamException("it has no root element");
    }
    return root;
  }

  private static XmlElement start(XMLStreamReader reader, String what) {
    int count = reader.getAttributeCount();
    if (count > ATTRIBUTES_MAX) {
      throw new CatalogException(
          "%s has an element with %d attributes, more than %d; it is no DDEX message."
              .formatted(what, count, ATTRIBUTES_MAX));
    }
    Map<String, String> attributes = HashMap.newHashMap(count);
    for (int i = 0; i < count; i++) {
      attributes.put(reader.getAttributeLocalName(i), Text.clean(reader.getAttributeValue(i)));
    }
    String namespace = reader.getNamespaceURI();
    return new XmlElement(reader.getLocalName(), namespace == null ? "" : namespace, attributes);
  }

  private static String oneLine(XMLStreamException e) {
    String message = e.getMessage() == null ? "it is malformed" : e.getMessage();
    int at = message.indexOf("Message: ");
    String reason = Text.clean(at >= 0 ? message.substring(at + "Message: ".length()) : message);
    while (reason.endsWith(".")) {
      reason = reason.substring(0, reason.length() - 1);
    }
    return e.getLocation() == null
        ? reason
        : "line %d: %s".formatted(e.getLocation().getLineNumber(), reason);
  }

  String attribute(String attribute) {
    return attributes.getOrDefault(attribute, "");
  }

  /** All children of one name, in order. */
  List<XmlElement> all(String child) {
    List<XmlElement> found = new ArrayList<>();
    for (XmlElement element : children) {
      if (element.name.equals(child)) {
        found.add(element);
      }
    }
    return found;
  }

  /** All children, in order. */
  List<XmlElement> all() {
    return children;
  }

  /** The first child of that name, or null. */
  @Nullable XmlElement first(String child) {
    for (XmlElement element : children) {
      if (element.name.equals(child)) {
        return element;
      }
    }
    return null;
  }

  /** The text at a path of first children; "" when a step of it is missing. */
  String text(String... path) {
    XmlElement at = this;
    for (String step : path) {
      XmlElement next = at.first(step);
      if (next == null) {
        return "";
      }
      at = next;
    }
    return at.text;
  }

  /** The texts of all children of one name. */
  List<String> texts(String child) {
    return all(child).stream().map(element -> element.text).filter(t -> !t.isEmpty()).toList();
  }
}
