import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import javax.xml.parsers.DocumentBuilderFactory;
import org.mustangproject.validator.ZUGFeRDValidator;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.w3c.dom.NodeList;

/**
 * Asks Mustang about the PDF and CII files whose names it reads, one a line, all in one JVM. Each
 * verdict is a line, "FILE tab JUDGE tab valid|invalid tab WHY"; what fails is invalid.
 */
final class Judge {
  // What the judges print themselves goes elsewhere.
  private static final PrintStream OUT = System.out;

  public static void main(String[] args) throws Exception {
    System.setOut(System.err);
    var names = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String name = names.readLine(); name != null; name = names.readLine()) {
      try {
        judge(name);
      } catch (Exception | LinkageError error) {
        say(name, "mustang", false, error.toString());
      }
    }
  }

  /** Its wasCompletelyValid() stays true where only the PDF/A is wrong: each part has a summary. */
  private static void judge(String name) throws Exception {
    ZUGFeRDValidator validator = new ZUGFeRDValidator();
    validator.disableNotices();
    Element report = parsed(validator.validate(name));
    for (Node part = report.getFirstChild(); part != null; part = part.getNextSibling()) {
      if (part instanceof Element found && found.getTagName().equals("pdf")) {
        // veraPDF's verdict alone: a PDF without an invoice in it has no metadata of one.
        String said = found.getFirstChild().getTextContent();
        say(name, "veraPDF", said.contains("flavour=3b,") && said.contains("isCompliant=true"), said);
        say(name, "mustang PDF/A", isValid(found), said(found));
      } else if (part instanceof Element found && found.getTagName().equals("xml")) {
        say(name, "mustang XML", isValid(found), said(found));
      }
    }
    say(name, "mustang", isValid(report), said(report));
  }

  private static boolean isValid(Element part) {
    boolean valid = false;
    for (Node child = part.getFirstChild(); child != null; child = child.getNextSibling()) {
      if (child instanceof Element summary && summary.getTagName().equals("summary")) {
        valid = summary.getAttribute("status").equals("valid");
      }
    }
    return valid;
  }

  private static String said(Element part) {
    StringBuilder why = new StringBuilder();
    for (String kind : new String[] {"exception", "error", "fatal", "rule"}) {
      NodeList messages = part.getElementsByTagName(kind);
      for (int i = 0; i < messages.getLength(); i++) {
        Element message = (Element) messages.item(i);
        if (kind.equals("rule") && !message.getAttribute("status").equals("failed")) continue;
        why.append(message.getTextContent()).append("; ");
      }
    }
    return why.toString();
  }

  private static Element parsed(String xml) throws Exception {
    DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
    factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
    var bytes = new ByteArrayInputStream(xml.getBytes(StandardCharsets.UTF_8));
    return factory.newDocumentBuilder().parse(bytes).getDocumentElement();
  }

  private static void say(String name, String judge, boolean valid, String why) {
    String text = why.replaceAll("\\s+", " ").strip();
    OUT.println(String.join("\t", name, judge, valid ? "valid" : "invalid", text));
  }
}
