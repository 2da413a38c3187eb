import com.helger.diagnostics.error.IError;
import com.helger.diver.api.coord.DVRCoordinate;
import com.helger.io.resource.FileSystemResource;
import com.helger.phive.api.execute.ValidationExecutionManager;
import com.helger.phive.api.executorset.ValidationExecutorSetRegistry;
import com.helger.phive.api.result.ValidationResultList;
import com.helger.phive.api.validity.IValidityDeterminator;
import com.helger.phive.en16931.EN16931Validation;
import com.helger.phive.xml.source.IValidationSourceXML;
import com.helger.phive.xml.source.ValidationSourceXML;
import com.helger.phive.xrechnung.XRechnungValidation;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/**
 * Asks phive about the XML files whose names it reads, one a line, all in one JVM. Each verdict is
 * a line, "FILE tab JUDGE tab valid|invalid tab WHY"; what fails is invalid.
 */
final class Judge {
  // What the judges print themselves goes elsewhere.
  private static final PrintStream OUT = System.out;
  private static final ValidationExecutorSetRegistry<IValidationSourceXML> RULES =
      new ValidationExecutorSetRegistry<>();

  public static void main(String[] args) throws Exception {
    System.setOut(System.err);
    EN16931Validation.initEN16931(RULES);
    XRechnungValidation.initXRechnung(RULES);
    var names = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String name = names.readLine(); name != null; name = names.readLine()) {
      try {
        judge(name, Files.readString(Path.of(name)));
      } catch (Exception | LinkageError error) {
        say(name, "phive", false, error.toString());
      }
    }
  }

  private static void judge(String name, String xml) {
    boolean german = xml.contains(":kosit:xrechnung_3.0<");
    if (xml.contains("CrossIndustryInvoice:100")) {
      ask(name, "phive EN 16931", EN16931Validation.VID_CII_1315);
      if (german) ask(name, "phive XRechnung", XRechnungValidation.VID_XRECHNUNG_CII_302);
    } else if (xml.contains("xsd:Invoice-2")) {
      ask(name, "phive EN 16931", EN16931Validation.VID_UBL_INVOICE_1315);
      if (german) ask(name, "phive XRechnung", XRechnungValidation.VID_XRECHNUNG_UBL_INVOICE_302);
    } else {
      ask(name, "phive EN 16931", EN16931Validation.VID_UBL_CREDIT_NOTE_1315);
      if (german) ask(name, "phive XRechnung", XRechnungValidation.VID_XRECHNUNG_UBL_CREDITNOTE_302);
    }
  }

  private static void ask(String name, String judge, DVRCoordinate rules) {
    ValidationResultList results = ValidationExecutionManager.executeValidation(
        IValidityDeterminator.createDefault(),
        RULES.getOfID(rules),
        ValidationSourceXML.create(new FileSystemResource(name)),
        Locale.ROOT);
    StringBuilder why = new StringBuilder();
    for (IError error : results.getAllFailures()) {
      why.append(error.getErrorID()).append(' ').append(error.getErrorText(Locale.ROOT)).append("; ");
    }
    // Valid is what every part called valid; a part that was left out is not.
    boolean valid = results.size() > 0 && results.getOverallValidity().isValid();
    say(name, judge, valid && why.isEmpty(), why.toString());
  }

  private static void say(String name, String judge, boolean valid, String why) {
    String text = why.replaceAll("\\s+", " ").strip();
    OUT.println(String.join("\t", name, judge, valid ? "valid" : "invalid", text));
  }
}
